/** How watchers and replicas write what is watched, and what has changed. */

import { Reader, type Writer } from './bytes.ts';
import { limits } from './limits.ts';
import type { Changed, Filter } from './messages.ts';
import { decodeReceived, encodeRecord } from './record.ts';
import { readBucket, readList, readTarget, writeList } from './wire.ts';

export function writeFilters(writer: Writer, filters: readonly Filter[]): void {
  writeList(writer, filters, ({ bucket, key, exact }) =>
    writer
      .text(bucket)
      .byteString(key)
      .uint(exact ? 1 : 0),
  );
}

export const readFilters = (reader: Reader): Filter[] =>
  readList(reader, limits.watchesMax, () => {
    const filter = { bucket: readBucket(reader), key: reader.byteString(limits.keyMaxBytes), exact: reader.bool() };
    if (filter.exact && filter.key === '') throw Reader.invalid('empty key');
    return filter;
  });

export function writeChanges(writer: Writer, changes: readonly Changed[]): void {
  writeList(writer, changes, ({ bucket, key, whole, record }) =>
    writer
      .text(bucket)
      .byteString(key)
      .uint(whole ? 1 : 0)
      .bytes(encodeRecord(record)),
  );
}

export const readChanges = (reader: Reader): Changed[] =>
  readList(reader, limits.changesMax, () => ({
    ...readTarget(reader),
    whole: reader.bool(),
    record: decodeReceived(reader.bytes(limits.frameMaxBytes)),
  }));
