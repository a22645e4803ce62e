/** How far the primary had written at some moment. Opaque; of two, the one taken later includes the earlier. */
export type ReadPoint = string;
