import type { TFunction } from 'i18next';
import { chooseLanguage, createTexts, useLanguage } from '../../shared/i18n.ts';
import { de } from './de.ts';
import { en, type Texts } from './en.ts';

declare module 'i18next' {
  interface CustomTypeOptions {
    resources: { translation: Texts };
  }
}

const languages = { en, de };

const texts = createTexts(languages);
// Until a screen has one of its own.
document.title = texts.t('pageTitle');

/** Texts in the language of now. */
export function useTexts(): { t: TFunction; language: string } {
  const language = useLanguage(texts);
  return { t: texts.t, language };
}

/** What each language calls itself. */
export const languageNames = Object.entries(languages).map(([tag, { language }]) => ({
  tag,
  name: language,
}));

export const choose = (language: string): void => chooseLanguage(texts, language);
