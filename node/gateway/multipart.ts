/**
 * Siblings as one HTTP message: multipart/mixed (RFC 2046, section 5.1.3), a part for each sibling with its Content-Type and dot. The boundary follows
 * from the dots, so the same siblings give the same bytes, and is chosen so that no value contains it.
 */

import { createHash } from 'node:crypto';
import type { Sibling } from 'ringmesh';
import { encodeSegment } from '../key-path.ts';

const fallbackType = 'application/octet-stream';

/** A stored content type may come from any peer: only what is safe in a header is passed on. */
export function safeContentType(contentType: string | undefined): string {
  return contentType !== undefined && /^[\x21-\x7e][\x20-\x7e]{0,255}$/.test(contentType) ? contentType : fallbackType;
}

/** A dot for a header: actors are data too (VR8), so anything but visible ASCII is percent-encoded. */
export const headerText = (text: string): string => (/^[\x21-\x7e]*$/.test(text) ? text : encodeSegment(text));

export interface Multipart {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** A boundary that appears in none of the values. */
export function chooseBoundary(siblings: readonly Sibling[]): string {
  for (let attempt = 0; ; attempt++) {
    const hash = createHash('sha256').update(`${attempt}`);
    for (const sibling of siblings) hash.update(`\n${sibling.dot}`);
    const boundary = `ringmesh-${hash.digest('hex').slice(0, 40)}`;
    if (!siblings.some((sibling) => Buffer.from(sibling.value).includes(boundary))) return boundary;
  }
}

export function writeMultipart(siblings: readonly Sibling[]): Multipart {
  const boundary = chooseBoundary(siblings);
  const parts: Uint8Array[] = [];
  for (const sibling of siblings) {
    const head = [
      `--${boundary}`,
      `Content-Type: ${safeContentType(sibling.contentType)}`,
      `Content-Length: ${sibling.value.length}`,
      `X-Ringmesh-Dot: ${headerText(sibling.dot)}`,
      `Last-Modified: ${new Date(sibling.time).toUTCString()}`,
    ];
    parts.push(Buffer.from(`${head.join('\r\n')}\r\n\r\n`), sibling.value, Buffer.from('\r\n'));
  }
  parts.push(Buffer.from(`--${boundary}--\r\n`));
  return { contentType: `multipart/mixed; boundary="${boundary}"`, body: Buffer.concat(parts) };
}
