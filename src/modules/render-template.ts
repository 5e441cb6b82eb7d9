// Filling in a template of modules-templates/: every value goes through the one quoting helper of its language.
import Handlebars from 'handlebars';

/**
 * @param helper the name of the helper in the template, e.g. `tcl`
 * @param quote text to one word or string of the language
 */
export function renderTemplate(
  template: string,
  helper: string,
  quote: (text: string) => string,
  values: Readonly<Record<string, unknown>>,
): string {
  const handlebars = Handlebars.create();
  handlebars.registerHelper(helper, (value: unknown) => {
    // Handlebars' strict mode does not see a missing field that goes to a helper.
    if (typeof value !== 'string') throw new TypeError('a module template names a field that does not exist');
    return quote(value);
  });
  return handlebars.compile(template, { strict: true, noEscape: true })(values);
}
