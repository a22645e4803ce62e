/** What PERSISTED_QUERY_MANIFESTS names cannot be used. The message is one line for the person at the terminal. */
export class ManifestError extends Error {
  readonly code = 'MANIFEST_UNUSABLE';

  constructor(file: string, fault: string, cause?: unknown) {
    // Parsers quote the text, its line breaks included.
    super(
      `PERSISTED_QUERY_MANIFESTS: ${file}: ${fault.replaceAll(/\s+/g, ' ')}`,
      cause === undefined ? undefined : { cause },
    );
    this.name = 'ManifestError';
  }
}
