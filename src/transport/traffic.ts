/**
 * What has come and gone over all connections of one server since it was made. Plain numbers, since every
 * message and every read adds to them, whether anybody looks or not.
 */
export class Traffic {
  messagesReceived = 0;
  messagesSent = 0;
  bytesReceived = 0;
  bytesSent = 0;
}
