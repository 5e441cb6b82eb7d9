import { describe, expect, it } from 'vitest';
import { renderMirrorPage } from '../../../src/mirror/mirror-page.ts';
import { planMirror } from '../../../src/mirror/mirror-plan.ts';
import { html } from '../../../src/system/html.ts';

const forge = 'https://conda.example/forge';
const plan = planMirror([
  {
    name: 'a-1',
    title: `a <img src=x onerror="alert(1)"> & 'b'`,
    text: '',
    lock: {
      lockVersion: 1,
      platform: 'linux-64',
      inputsDigest: 'b'.repeat(64),
      channels: [forge],
      virtualPackages: {},
      packages: [
        {
          name: 'tool',
          version: '1!1.0',
          build: '0',
          buildNumber: 0,
          channel: forge,
          subdir: 'noarch',
          url: `${forge}/noarch/tool-1!1.0-0.conda`,
          sha256: 'a'.repeat(64),
        },
      ],
    },
  },
]);
const page = renderMirrorPage(
  plan,
  () => ({ size: 1_500_000, license: `</td><script>alert('x')</script>\u202e${'L'.repeat(500)}` }),
  'https://conda.example',
);

describe('the page of a mirror', () => {
  it('shows hostile text as text', () => {
    expect(page).not.toMatch(/<script|<img/i);
    expect(page).toContain('&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\uFFFD');
    expect(page).toContain('a &lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; &#39;b&#39;');
    expect(page).not.toContain('L'.repeat(200));
  });

  it('links packages and locks relatively, as a web server reads them', () => {
    const links = [...page.matchAll(/href="([^"]*)"/g)].map(([, link]) => link);

    expect(links).toEqual([
      'conda/conda.example/forge/noarch/repodata.json',
      'locks/a-1.lock.yml',
      'conda/conda.example/forge/noarch/tool-1!1.0-0.conda',
    ]);
  });

  it('tells how to use it, with sizes, and asks nothing of elsewhere', () => {
    expect(page).toContain('channel_alias: https://mirror.example.org/conda/conda.example\nchannels: [forge]');
    expect(page).toContain(
      '  mirrors:\n    &quot;https://conda.example/forge&quot;: [&quot;https://mirror.example.org/conda/conda.example/forge&quot;]</pre',
    );
    expect(page).toContain('<td class="number">1.5 MB</td>');
    expect(page).toContain(`default-src 'none'`);
    expect(page).not.toMatch(/<[^>]*\ssrc=|<link|@import|url\(/);
    expect(page).toMatch(
      /<html lang="en">[^]*<h1>[^]*scope="col"[^]*color-scheme: light dark|color-scheme: light dark[^]*<h1>/,
    );
  });

  it('is the same for the same mirror', () => {
    expect(renderMirrorPage(plan, () => ({}), 'https://conda.example')).toBe(
      renderMirrorPage(plan, () => ({}), 'https://conda.example'),
    );
  });
});

describe('html', () => {
  it('escapes what is put in, and not what a template made', () => {
    expect(html`<a title="${'"&'}">${[html`<b>${'<'}</b>`]}</a>`.text).toBe('<a title="&quot;&amp;"><b>&lt;</b></a>');
  });
});
