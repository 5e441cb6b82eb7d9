// What every stage of a build may use: the site, this copy of condense, and ways to tell and to end.
import type { SiteConfig } from '../config/site-config.ts';
import type { InstallerProgram } from '../site/installer-program.ts';
import type { Layout } from '../site/layout.ts';
import type { AccessPolicy } from '../site/permissions.ts';
import type { Product } from '../site/product.ts';
import type { ContainerRuntime } from '../site/runtime.ts';
import type { Report } from '../system/events.ts';

export interface BuildContext {
  readonly config: SiteConfig;
  readonly layout: Layout;
  readonly product: Product;
  readonly runtime: ContainerRuntime;
  /** Who installs, where it is not condense itself. */
  readonly installer?: InstallerProgram | undefined;
  readonly access: AccessPolicy;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Nobody is asked: the caches and what is in files have to do. */
  readonly offline?: boolean | undefined;
}
