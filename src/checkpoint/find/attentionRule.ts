// attentionRule.ts: how a module's scores are made, as far as the report computes attention: from config and family.
import type { Attention } from './findAttention.ts';
import type { AttentionModule } from '../heads/attentionModule.ts';
import { ropeNumber, type Positions } from '../../models/families/family.ts';

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
  const { config, family, headDim, positions } = attention;
  const cross = module.kind === 'cross';
  const none = { pairing: 'none', rotaryDims: 0 } as const;
  return {
    positions: cross || !positions ? none : positions,
    theta: thetaOf(attention, module),
    scale: scaleOf(attention, headDim),
    softcap: ropeNumber(config, 'attn_logit_softcapping'),
    causal: !cross,
    normsCountFromOne: family.name === 'llama' && String(config['model_type']).startsWith('gemma3'),
  };
}

function thetaOf({ config, family }: Attention, { layer }: AttentionModule): number {
  const types = config['layer_types'];
  const local = Array.isArray(types) && types[layer] === 'sliding_attention';
  const localBase = local ? ropeNumber(config, 'rope_local_base_freq') : undefined;
  const usual = family.name === 'nanochat' ? 100_000 : 10_000;
  return localBase ?? ropeNumber(config, 'rope_theta', 'rotary_emb_base') ?? usual;
}

function scaleOf({ config, family }: Attention, headDim: number): number {
  // T5 has no scale: it is in the initial values of its projections. nanochat multiplies q and k by 1.2 each.
  if (family.name === 't5') return 1;
  if (family.name === 'nanochat') return 1.44 / Math.sqrt(headDim);
  return 1 / Math.sqrt(ropeNumber(config, 'query_pre_attn_scalar') ?? headDim);
}

/** T5's bucket of a key `distance` tokens back, for a decoder: exact up to half of the buckets, then logarithmic. */
export function t5Bucket(distance: number, buckets: number, maxDistance: number): number {
  const exact = buckets / 2;
  if (distance < exact) return distance;
  const share = Math.log(distance / exact) / Math.log(maxDistance / exact);
  return Math.min(buckets - 1, exact + Math.floor(share * (buckets - exact)));
}
