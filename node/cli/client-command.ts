/**
 * What all commands that talk to a gateway have in common: --gateway, --config, --json, and a client that is closed at the end.
 */

import { Command, Option } from 'commander';
import { defaultGateway, GatewayClient } from '../client/gateway-client.ts';
import { gatewayUrls } from './parsers.ts';

export interface ClientOptions {
  readonly gateway?: readonly string[];
  readonly json?: boolean;
}

export const configOption = (): Option => new Option('--config <file>', 'read flags that are not given here from a YAML file');

export function clientCommand(name: string): Command {
  return new Command(name)
    .addOption(
      new Option('--gateway <url>', `a gateway to talk to; several are tried in turn (default: ${defaultGateway})`).argParser(gatewayUrls),
    )
    .addOption(configOption())
    .option('--json', 'print JSON for programs');
}

export const bucketOption = (): Option => new Option('-b, --bucket <name>', 'the bucket').default('default');

export const encodedOption = (): Option => new Option('--encoded', 'KEY is percent-encoded bytes (for keys that are not text)');

export async function withClient(options: ClientOptions, use: (client: GatewayClient) => Promise<void>): Promise<void> {
  const client = new GatewayClient(options.gateway ?? [defaultGateway]);
  try {
    await use(client);
  } finally {
    client.close();
  }
}

/** The examples under a command's help. */
export const examples = (...lines: readonly string[]): string => `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;
