// encoders.ts: families of encoders. Some of them generate text too, where a file says `is_decoder`.
import type { Family } from './family.ts';
import { familiesOf } from './types.ts';

const OF_TEXT = [
  'albert bert big_bird camembert convbert data2vec-text deberta deberta-v2 distilbert electra ernie esm eurobert',
  'flaubert fnet funnel gte ibert jina_embeddings_v3 layoutlm layoutlmv2 layoutlmv3 longformer luke markuplm',
  'megatron-bert mobilebert modernbert mpnet mra nomic_bert nystromformer rembert roberta roberta-prelayernorm',
  'roc_bert roformer splinter squeezebert tapas xlm xlm-roberta xlm-roberta-xl xmod yoso clip',
].join(' ');
const OF_OTHER_INPUTS =
  'beit clip_vision_model deit dinov2 dinov3_vit hubert siglip_vision_model vit wav2vec2 wavlm';

export const ENCODERS: readonly Family[] = familiesOf(`${OF_TEXT} ${OF_OTHER_INPUTS}`, {
  isMha: true,
  withoutCache: 'encoder',
});
