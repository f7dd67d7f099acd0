/** What topics may take of one server's memory; sizes in bytes. All are options of the server. */
export interface HubLimits {
  /** The most bytes of a publication. */
  readonly maxSendSize: number;
  /** Topics that one connection may be subscribed to. */
  readonly maxTopicsPerConnection: number;
  /** Subscribers of one topic. */
  readonly maxSubscribersPerTopic: number;
  /** Publications that a subscriber who comes back is given. */
  readonly maxRecovered: number;
  /** Bytes of those. */
  readonly maxRecoveredBytes: number;
  /** Publications of one topic that are held while its history is read. */
  readonly maxHeld: number;
  /** Bytes of those. */
  readonly maxHeldBytes: number;
  /** Keys of which the newest publication may wait for a slow subscriber, for each topic. */
  readonly maxWaitingKeys: number;
}
