/** Makes the Prisma client when it is missing or out of date. Resolves to whether it had to. */
export declare function generateClient(): Promise<boolean>;
