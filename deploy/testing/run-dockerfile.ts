import dockerignore from '@balena/dockerignore';
import { Copy, DockerfileParser, From, type Instruction, JSONInstruction } from 'dockerfile-ast';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';

/** A folder that stands for an image's root filesystem, and what the image says of itself. */
export interface Image {
  readonly root: string;
  readonly from: string;
  workdir: string;
  env: Record<string, string>;
  user: string;
  entrypoint: string[];
  command: string[];
  healthcheck: string[];
}

export interface RunOptions {
  readonly dockerfile: string;
  /** What is sent to the builder, less what the .dockerignore beside the Dockerfile leaves out. */
  readonly context: string;
  /** Empty; a folder for each stage is made in it. */
  readonly directory: string;
  /** For RUN, beside PATH. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Carries out a Dockerfile without containers: each stage in a folder of its own, COPY as the builder copies, RUN by `sh` on
 * this machine in the place of the base image. An instruction that it does not know is an error, as is an absolute path
 * in a RUN: that would be this machine's.
 */
export async function runDockerfile(options: RunOptions): Promise<Image> {
  const instructions = DockerfileParser.parse(readFileSync(options.dockerfile, 'utf8')).getInstructions();
  const stages = new Map<string, Image>();
  const context = contextFiles(options);
  let image: Image | undefined;
  for (const instruction of instructions) {
    if (instruction instanceof From) {
      image = startStage(join(options.directory, `stage-${stages.size}`), instruction);
      stages.set(instruction.getBuildStage() ?? String(stages.size), image);
      continue;
    }
    if (image === undefined) throw new Error(`${instruction.getKeyword()} comes before FROM`);
    await carryOut(instruction, image, stages, context, options);
  }
  if (image === undefined) throw new Error('the Dockerfile has no stage');
  return image;
}

function startStage(root: string, from: From): Image {
  mkdirSync(root);
  const image = from.getImage() ?? '';
  return { root, from: image, workdir: '/', env: {}, user: 'root', entrypoint: [], command: [], healthcheck: [] };
}

async function carryOut(
  instruction: Instruction,
  image: Image,
  stages: ReadonlyMap<string, Image>,
  context: readonly string[],
  { context: contextRoot, env }: RunOptions,
): Promise<void> {
  const words = instruction.getArguments().map((argument) => argument.getValue());
  const text = instruction.getRawArgumentsContent() ?? '';
  const keyword = instruction.getKeyword();
  switch (keyword) {
    case 'WORKDIR':
      image.workdir = join(image.workdir, words[0] ?? '');
      mkdirSync(join(image.root, image.workdir), { recursive: true });
      return;
    case 'ENV':
      for (const word of words) image.env[word.slice(0, word.indexOf('='))] = word.slice(word.indexOf('=') + 1);
      return;
    case 'USER':
      image.user = words[0] ?? '';
      return;
    case 'EXPOSE':
      return;
    case 'ENTRYPOINT':
      image.entrypoint = wordsOf(instruction);
      return;
    case 'CMD':
      image.command = wordsOf(instruction);
      return;
    case 'HEALTHCHECK':
      image.healthcheck = JSON.parse(text.slice(text.indexOf('['))) as string[];
      return;
    case 'COPY': {
      const from = (instruction instanceof Copy ? instruction.getFromFlag()?.getValue() : null) ?? null;
      const stage = from === null ? undefined : stages.get(from);
      if (from !== null && stage === undefined) throw new Error(`COPY --from=${from}: no such stage`);
      copy(
        words,
        image,
        stage === undefined ? { root: contextRoot, files: context } : { root: stage.root, files: null },
      );
      return;
    }
    case 'RUN': {
      const command = text.replace(/^(?:--\S+\s+)+/, '');
      if (/(?:^|[\s="'])\/\w/.test(command)) throw new Error(`RUN with an absolute path: ${command}`);
      const cwd = join(image.root, image.workdir);
      const path = process.env['PATH'] ?? '';
      await promisify(execFile)('sh', ['-ec', command], {
        cwd,
        env: { PATH: path, HOME: image.root, ...env, ...image.env },
      });
      return;
    }
    default:
      throw new Error(`${keyword} is not known here`);
  }
}

/** Only the form that starts no shell. */
function wordsOf(instruction: Instruction): string[] {
  if (!(instruction instanceof JSONInstruction) || instruction.getJSONStrings().length === 0) {
    throw new Error(`${instruction.getKeyword()} must be a JSON array: a shell would keep signals to itself`);
  }
  return instruction.getJSONStrings().map((argument) => argument.getJSONValue());
}

interface Source {
  readonly root: string;
  /** Those that may be copied; null for all. */
  readonly files: readonly string[] | null;
}

/** A folder's content is copied, not the folder; into what ends with a slash everything keeps its name. */
function copy(words: readonly string[], image: Image, { root, files }: Source): void {
  const target = words.at(-1) ?? '';
  const to = isAbsolute(target) ? join(image.root, target) : join(image.root, image.workdir, target);
  const intoFolder = target.endsWith('/') || target === '.';
  if (words.length > 2 && !intoFolder) throw new Error(`COPY of several to ${target}, which must end with a slash`);
  for (const source of words.slice(0, -1)) {
    const path = join(root, source);
    const wanted = files?.filter((file) => file === source || file.startsWith(`${source}/`));
    if (wanted?.length === 0) throw new Error(`COPY ${source}: not in the context`);
    if (statSync(path).isFile()) {
      cpSync(path, intoFolder ? join(to, basename(source)) : to);
    } else if (wanted === undefined) {
      cpSync(path, to, { recursive: true, verbatimSymlinks: true });
    } else {
      for (const file of wanted) cpSync(join(root, file), join(to, file.slice(source.length + 1)));
    }
  }
}

function contextFiles({ dockerfile, context }: RunOptions): string[] {
  const patterns = readFileSync(`${dockerfile}.dockerignore`, 'utf8');
  const ignored = dockerignore.default().add(patterns);
  // Without what no pattern lets in: reading all of node_modules would take longer than the rest.
  const folders = readdirSync(context).filter((name) => !['node_modules', '.git'].includes(name));
  return folders.flatMap((name) => {
    const path = join(context, name);
    const all = statSync(path).isFile()
      ? [name]
      : readdirSync(path, { recursive: true, encoding: 'utf8' })
          .map((below) => join(name, below))
          .filter((file) => statSync(join(context, file)).isFile());
    return ignored.filter(all);
  });
}
