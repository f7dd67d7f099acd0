/**
 * Refuses an empty certificate or key: without them Node listens all the same, and no client gets in.
 *
 * @param tls The certificate and its key, as PEM.
 * @returns The same.
 */
export function checkCertificate<T extends { readonly cert: string; readonly key: string }>(
  tls: T,
): T {
  if (tls.cert === "" || tls.key === "") throw new Error("there is no certificate in an empty PEM");
  return tls;
}
