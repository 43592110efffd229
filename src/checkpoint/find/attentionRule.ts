// attentionRule.ts: how a module's scores are made, as far as the report computes attention: from config and format.
import type { Attention } from './findAttention.ts';
import type { AttentionModule } from '../heads/attentionModule.ts';
import type { Positions } from '../../models/families/family.ts';
import { ropeNumber } from '../../models/families/format.ts';

/** Scores are scale * q . k, softly capped, plus a bias; q and k are normalised and rotated before. */
export interface AttentionRule {
  readonly positions: Positions;
  /** Rotary base. */
  readonly theta: number;
  readonly scale: number;
  /** Scores s become cap * tanh(s / cap). */
  readonly softcap: number | undefined;
  /** True when a token sees only those before it. */
  readonly causal: boolean;
  /** Weights of a norm count from 1: 1 + w. */
  readonly normsCountFromOne: boolean;
}

/**
 * The rule of a module. Sliding windows and scaled rotary frequencies are left out: the report's texts are shorter than
 * windows, and both sides of a comparison see the same positions.
 */
export function attentionRule(attention: Attention, module: AttentionModule): AttentionRule {
  const { config, format, headDim, positions } = attention;
  const cross = module.kind === 'cross';
  const none = { pairing: 'none', rotaryDims: 0 } as const;
  return {
    positions: cross || !positions ? none : positions,
    theta: thetaOf(attention, module),
    scale: format.scale(config, headDim),
    softcap: ropeNumber(config, 'attn_logit_softcapping'),
    causal: !cross,
    normsCountFromOne: format.normsCountFromOne,
  };
}

function thetaOf({ config, format }: Attention, { layer }: AttentionModule): number {
  const types = config['layer_types'];
  const local = Array.isArray(types) && types[layer] === 'sliding_attention';
  const localBase = local ? ropeNumber(config, 'rope_local_base_freq') : undefined;
  return localBase ?? ropeNumber(config, 'rope_theta', 'rotary_emb_base') ?? format.usualTheta;
}
