// types.ts: prints what the element types of a cache hold and lose; needs no device.
import { typesTable } from '../bench/studies/typeErrors.ts';

process.stdout.write(`${typesTable({ headDim: 128, tokens: 512 })}\n`);
