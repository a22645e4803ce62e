/** Writes `.env` and `secrets/` into `folder` (by default `deploy/`), and answers what is in `.env`. */
export declare function makeSecrets(folder?: string): Record<string, string>;
