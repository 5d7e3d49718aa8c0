/**
 * Keys in URLs. A key is bytes (VR8); in a path it is one percent-encoded segment, so that a slash inside of a key is `%2F`. Decoding works on the raw
 * request target, byte for byte: no URL class, no Unicode normalisation and no dot-segment removal may touch it. `.` and `..` encode as `%2E` and
 * `%2E%2E`; clients that normalise even those (browsers, fetch) cannot name these two keys, curl --path-as-is and the command line can.
 */

const unreserved = /[A-Za-z0-9\-._~]/;
const encodedByte: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return unreserved.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
});

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8 = new TextEncoder();

/** The bytes of one raw path segment; undefined when a `%` is not followed by two hexadecimal digits. */
export function decodeSegment(raw: string): Uint8Array | undefined {
  const bytes = new Uint8Array(raw.length);
  let length = 0;
  for (let index = 0; index < raw.length; index++) {
    const code = raw.charCodeAt(index);
    if (code > 0xff) return undefined;
    if (code !== 0x25) {
      bytes[length++] = code;
      continue;
    }
    const digits = raw.slice(index + 1, index + 3);
    if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return undefined;
    bytes[length++] = Number.parseInt(digits, 16);
    index += 2;
  }
  return bytes.slice(0, length);
}

/** One path segment for these bytes; `decodeSegment` gives them back. */
export function encodeSegment(key: Uint8Array | string): string {
  const bytes = typeof key === 'string' ? utf8.encode(key) : key;
  let text = '';
  for (const byte of bytes) text += encodedByte[byte];
  return text === '.' || text === '..' ? text.replaceAll('.', '%2E') : text;
}

/** The key as text, or undefined when its bytes are not valid UTF-8. */
export function keyText(key: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(key);
  } catch {
    return undefined;
  }
}
