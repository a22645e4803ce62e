/** Looks at what goes over one connection; true: hold this chunk and all after it. */
export interface Trap {
  toServer(chunk: Buffer): boolean;
  toProgram(chunk: Buffer): boolean;
}

export type TrapFactory = () => Trap;

const NEVER = (): boolean => false;
/** The worker's one large statement: by its text, or by the name that a connection knows it by once it has had the text. */
const INSERT = /INSERT INTO interactions|insert_interactions/;
/** What begins a transaction. */
const BEGIN = 'BEGIN';
/** What ends its transaction; Postgres says so by the same word. */
const COMMIT = /COMMIT/;
/** Class 60 (basic), method 80 (ack), as AMQP 0-9-1 has them on the wire. */
const BASIC_ACK = /\0<\0P/;
/** Above what any of these is long. */
const CUT = 40;

/** Received: of the interactions nothing is written. Their reactions are locked, and what came by the outbox is taken from it. */
export const beforeInsert: TrapFactory = () => ({ toServer: createFinder(INSERT), toProgram: NEVER });

/** The statement has run, its transaction is open. */
export const beforeCommit: TrapFactory = () => {
  const [inserts, commits] = [createFinder(INSERT), createFinder(COMMIT)];
  let isRecording = false;
  return {
    toServer(chunk) {
      isRecording ||= inserts(chunk);
      return isRecording && commits(chunk);
    },
    toProgram: NEVER,
  };
};

/** Postgres has committed, and the worker does not know. */
export const beforeCommitIsKnown: TrapFactory = () => {
  const sent = beforeCommit();
  const answers = createFinder(COMMIT);
  let isCommitting = false;
  return {
    toServer(chunk) {
      isCommitting ||= sent.toServer(chunk);
      return false;
    },
    toProgram: (chunk) => isCommitting && answers(chunk),
  };
};

/** The worker knows, RabbitMQ does not. */
export const beforeAck: TrapFactory = () => ({ toServer: createFinder(BASIC_ACK), toProgram: NEVER });

/** As `factory` makes them; `onSprung` gets what the program has sent since it last began a transaction. */
export function withTransaction(factory: TrapFactory, onSprung: (sent: string) => void): TrapFactory {
  return () => {
    const trap = factory();
    let sent = '';
    return {
      toServer(chunk) {
        sent += chunk.toString('latin1');
        sent = sent.slice(Math.max(0, sent.lastIndexOf(BEGIN)));
        const isSprung = trap.toServer(chunk);
        if (isSprung) onSprung(sent);
        return isSprung;
      },
      toProgram(chunk) {
        const isSprung = trap.toProgram(chunk);
        if (isSprung) onSprung(sent);
        return isSprung;
      },
    };
  };
}

/** Also finds what is cut in two by the chunks. */
function createFinder(wanted: RegExp): (chunk: Buffer) => boolean {
  let tail = '';
  return (chunk) => {
    const text = tail + chunk.toString('latin1');
    tail = text.slice(-CUT);
    return wanted.test(text);
  };
}
