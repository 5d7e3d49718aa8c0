/** The bounds of keys and values (SE3), for checks that come before anything is sent or read. The mesh holds to the same. */

export const valueMaxBytes = 4 * 1024 * 1024;
export const valueMaxText = '4 MiB';
export const keyMaxBytes = 1024;
