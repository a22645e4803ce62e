/** Compiles into `outDir` (by default `dist/`), which is emptied first. Throws when the code does not compile. */
export declare function build(outDir?: string): Promise<void>;
