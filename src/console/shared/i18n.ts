import { createInstance, type i18n } from 'i18next';
import { useSyncExternalStore } from 'react';

/** Where the choice of a language is kept. */
const place = 'cufflink.language';

/**
 * Texts in several languages: the one that was chosen here before, else the first of the browser's that there is, else
 * the first of all.
 * @param texts by language; all have the keys of the first
 */
export function createTexts<Texts extends object>(texts: Record<string, Texts>): i18n {
  const languages = Object.keys(texts);
  const wanted = [remembered(), ...navigator.languages].map((tag) => tag?.slice(0, 2).toLowerCase());
  const language = wanted.find((tag) => tag !== undefined && languages.includes(tag)) ?? languages[0];
  const instance = createInstance();
  instance.on('languageChanged', (tag) => {
    document.documentElement.lang = tag;
  });
  // React escapes what it shows.
  const interpolation = { escapeValue: false };
  const resources = Object.fromEntries(
    Object.entries(texts).map(([tag, translation]) => [tag, { translation }]),
  );
  void instance.init({
    lng: language,
    fallbackLng: languages[0],
    resources,
    interpolation,
    initAsync: false,
  });
  return instance;
}

/** The language of now, for a component that shows texts. */
export const useLanguage = (texts: i18n): string =>
  useSyncExternalStore(
    (onChange) => {
      texts.on('languageChanged', onChange);
      return () => texts.off('languageChanged', onChange);
    },
    () => texts.language,
  );

export function chooseLanguage(texts: i18n, language: string): void {
  void texts.changeLanguage(language);
  try {
    localStorage.setItem(place, language);
  } catch {
    // Where nothing may be kept, the choice holds for this page.
  }
}

function remembered(): string | undefined {
  try {
    return localStorage.getItem(place) ?? undefined;
  } catch {
    return undefined;
  }
}

/** A name within a sentence, kept from turning the sentence's direction [Unicode UAX 9, isolates]. */
export const isolated = (name: string): string => `\u2068${name}\u2069`;
