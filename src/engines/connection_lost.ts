/** Thrown where no answer came: what was asked may have been done if it was sent. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  /** Whether it was handed to the connection. */
  readonly sent: boolean;

  /**
   * @param message What has happened.
   * @param sent Whether it was handed to the connection.
   */
  constructor(message: string, sent: boolean) {
    super(message);
    this.sent = sent;
  }
}
