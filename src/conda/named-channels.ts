// The channels of a solve: those of the list, and those that specs name (`channel::name`).
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { parseChannel, type Channel } from './channel.ts';
import { describeInvalidSpec, type RequestedSpec } from './match-spec.ts';

/** The channels of the list, then those that a spec names (`channel::name`) and the list does not: as conda has it. */
export function withNamedChannels(
  listed: readonly Channel[],
  specs: readonly RequestedSpec[],
  alias: string,
): { readonly list: readonly Channel[]; readonly ofSpec: ReadonlyMap<number, number> } {
  const list = [...listed];
  const ofSpec = new Map<number, number>();
  const pins = new Map<string, RequestedSpec>();
  const problems: Problem[] = [];
  for (const [position, spec] of specs.entries()) {
    if (spec.channel === undefined) continue;
    const channel = parseChannel(spec.channel, alias);
    if ('code' in channel) {
      problems.push({ ...channel, at: spec.line.at });
      continue;
    }
    if (!list.some(({ publicUrl }) => publicUrl === channel.publicUrl)) list.push(channel);
    const place = list.findIndex(({ publicUrl }) => publicUrl === channel.publicUrl);
    const other = pins.get(spec.name);
    if (other && ofSpec.get(specs.indexOf(other)) !== place) {
      problems.push(describeInvalidSpec(spec.line, `${other.line.at} wants ${spec.name} from another channel`));
    }
    pins.set(spec.name, spec);
    ofSpec.set(position, place);
  }
  if (problems.length > 0) throw new AppError(EXIT.configuration, problems);
  return { list, ofSpec };
}
