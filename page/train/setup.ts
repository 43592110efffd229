// setup.ts: what a run is going to be: the way, the size, the text, and what they take here.
import { sizeFor } from '../../bench/reproduce/options.ts';
import { allSteps } from '../../bench/reproduce/progress.ts';
import type { DeviceFacts } from '../../src/device/deviceFacts.ts';
import { messageOf } from '../../src/device/errors.ts';
import { TRAINING_SIZES, type TrainingSize, type TrainingSizeName } from '../../src/train/sizes.ts';
import { charVocabulary, type CharVocabulary } from '../../src/train/text/characters.ts';
import { byId } from '../shell/dom.ts';
import { STORIES } from '../shell/storiesName.ts';
import { openCheckpointFiles, type OpenedCheckpoint } from './checkpoint.ts';
import { checkForm, readForm, showDefaults, showHeads, showSizes } from './form.ts';
import { openingOf, readText, textFault, type ReaderText } from './labText.ts';
import { planModel, planSize } from './plan.ts';
import type { CheckpointFiles, LabRequest } from './protocol.ts';
import { commandOf, type Way } from './settings.ts';
import { takesText } from './words.ts';

/** Characters of a prompt that is taken from the reader's text. */
const PROMPT = 14;

/** The form and what stands behind it. */
export class Setup {
  readonly #facts: DeviceFacts;
  readonly #files: CheckpointFiles;
  readonly #stories: OpenedCheckpoint;
  #text: ReaderText | undefined;
  /** Of the reader's text, else of the stories. */
  #vocabulary: CharVocabulary;
  #way: Way = 'quick';

  /** Opens the project's own checkpoint, which a quick look starts from. */
  static async open(facts: DeviceFacts, files: CheckpointFiles): Promise<Setup> {
    return new Setup(facts, files, await openCheckpointFiles(files, STORIES));
  }

  private constructor(facts: DeviceFacts, files: CheckpointFiles, stories: OpenedCheckpoint) {
    this.#facts = facts;
    this.#files = files;
    this.#stories = stories;
    this.#vocabulary = stories.vocabulary;
  }

  listen(): void {
    this.#planSizes(sizeFor(this.#facts));
    showDefaults('quick', this.#stories.original.size.heads, this.#facts.software);
    const form = byId('train-form');
    form.addEventListener('input', (event) => {
      const { name, id } = event.target as HTMLInputElement;
      if (id === 'train-text') return;
      if (name === 'way') this.#choose(readForm().way);
      if (name === 'size') showHeads(this.size.heads, readForm().kvHeads);
      this.update();
    });
    const chosen = byId('train-text', HTMLInputElement);
    chosen.addEventListener('change', () => {
      const [file] = chosen.files!;
      // The same file again is a change too.
      if (file) void this.#take(file).finally(() => (chosen.value = ''));
    });
    byId('train-stories').addEventListener('click', () => this.#setText(undefined));
    this.update();
  }

  /** The size of the model that is chosen, and how it is trained. */
  get size(): TrainingSize {
    return this.#way === 'quick' ? this.#stories.original.size : TRAINING_SIZES[readForm().size];
  }

  /** Says what the form comes to, and marks what is wrong in it. */
  update(): void {
    const values = readForm();
    const { size } = this;
    checkForm(values, size);
    byId('train-text-name').textContent = this.#text ? this.#text.name : 'generated stories';
    byId('train-stories').hidden = this.#text === undefined;
    byId('train-text-fault').textContent = this.#textFault() ?? '';
    const { alphas = [], seeds = [], ...rest } = values;
    const steps = allSteps({ ...rest, alphas, seeds }, size, this.#way === 'quick');
    const plan =
      this.#way === 'quick'
        ? planModel(this.#stories.spec, size, this.#facts)
        : planSize(size, this.#vocabulary.characters.length, this.#facts);
    byId('train-takes').textContent = takesText(plan, steps, size);
    byId('train-command').textContent = commandOf({
      ...rest,
      alphas,
      seeds,
      ...(this.#text && { textName: this.#text.name }),
    });
  }

  /** What a valid form asks for; undefined where the text cannot be learned, which stands beside it. */
  request(): LabRequest | undefined {
    if (this.#textFault() !== undefined) return undefined;
    const { way, alphas, seeds, ...rest } = readForm();
    return {
      ...rest,
      alphas: alphas!,
      seeds: seeds!,
      ...(way === 'quick' && { original: this.#files }),
      ...(this.#text && { text: this.#text }),
    };
  }

  #choose(way: Way): void {
    this.#way = way;
    byId('train-sizes').hidden = way === 'quick';
    showDefaults(way, this.size.heads, this.#facts.software);
  }

  #planSizes(chosen: TrainingSizeName): void {
    const vocabSize = this.#vocabulary.characters.length;
    const plan = (name: TrainingSizeName) => planSize(TRAINING_SIZES[name], vocabSize, this.#facts);
    showSizes({ tiny: plan('tiny'), small: plan('small'), demo: plan('demo') }, chosen);
  }

  async #take(file: File): Promise<void> {
    try {
      this.#setText(await readText(file));
    } catch (error) {
      byId('train-text-fault').textContent = messageOf(error);
    }
  }

  #setText(text: ReaderText | undefined): void {
    const vocabulary = text ? charVocabulary(text.content) : this.#stories.vocabulary;
    const before = this.#text;
    this.#text = text;
    this.#vocabulary = vocabulary;
    const prompt = byId('train-prompt', HTMLInputElement);
    if (text) prompt.value = openingOf(text, PROMPT) || prompt.value;
    else if (before) prompt.value = prompt.defaultValue;
    this.#planSizes(readForm().size);
    this.update();
  }

  /** Why the text cannot be learned by the model that is chosen. */
  #textFault(): string | undefined {
    if (!this.#text) return undefined;
    const short = textFault(this.#text, this.size.context);
    if (short !== undefined || this.#way === 'scratch') return short;
    const { characters } = this.#stories.vocabulary;
    const strange = this.#vocabulary.characters.find((character) => !characters.includes(character));
    if (strange === undefined) return undefined;
    return `The model of the quick look knows ${characters.length} characters, and not ${JSON.stringify(strange)}, which ${this.#text.name} has. Train one from scratch on it.`;
  }
}
