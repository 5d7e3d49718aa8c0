/**
 * Every bound of the store in one place (SE3, VR6). They are checked before memory is given to what they bound.
 */

export const limits = {
  bucketMaxBytes: 64,
  keyMaxBytes: 1024,
  valueMaxBytes: 4 * 1024 * 1024,
  contentTypeMaxBytes: 256,
  /** One message between peers; a record of many large siblings is the largest of them. */
  frameMaxBytes: 32 * 1024 * 1024,
  /** What a client may send as a context, before it is parsed. */
  contextMaxBytes: 16 * 1024,
  contextMaxEntries: 128,
  siblingsMax: 64,
  counterMax: 2 ** 48,
  incarnationMax: 2 ** 48,
  actorMaxBytes: 64,
  peerIdMaxBytes: 128,
  labelMaxBytes: 128,
  addressesMax: 32,
  addressMaxBytes: 512,
  membersMax: 65_536,
  /** In so many parts tables of members are compared. */
  tablePartsMax: 256,
  replicasMax: 16,
  weightMax: 1024,
  listMax: 1000,
  /** Nodes of Merkle trees that one message asks about, and digests that it answers with. */
  compareNodesMax: 64,
  digestsMax: 70_000,
  /** Records that one message copies, in number and bytes; one record may be larger. */
  copiesMax: 64,
  copyBytes: 256 * 1024,
  pendingRequestsMax: 20_000,
  /** Watches that one peer has at once, which is also how many filters a watcher may send to a replica. */
  watchesMax: 256,
  /** Keys whose versions all watches of a peer remember together. */
  watchedKeysMax: 100_000,
  /** Peers that one replica tells of its commits; and what may wait to be told to one of them. */
  watchersMax: 1024,
  changesMax: 1000,
  changesMaxBytes: 2 * 1024 * 1024,
  timeoutMaxMs: 120_000,
  /** A hundred years. */
  ttlMaxMs: 100 * 365 * 24 * 60 * 60_000,
} as const;
