import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core';

const harbor: MantineColorsTuple = [
  '#eef4fb',
  '#dbe7f5',
  '#b9d0ea',
  '#94b7dd',
  '#6f9cd0',
  '#4f84c4',
  '#346db4',
  '#25599a',
  '#1f4a80',
  '#183a66',
];
const gray: MantineColorsTuple = [
  '#f7f8fa',
  '#eff1f5',
  '#e5e8ee',
  '#d6dbe3',
  '#bdc5d0',
  '#8d97a7',
  '#5d6979',
  '#465160',
  '#323c4a',
  '#1b2430',
];
const dark: MantineColorsTuple = [
  '#e6eaf0',
  '#c6ceda',
  '#a0abbb',
  '#8792a3',
  '#364050',
  '#2a3340',
  '#202833',
  '#1a212b',
  '#12171e',
  '#0c1015',
];

/** Sizes are those of a tool that people work in all day: 14 px text, controls of 32 to 36 px. */
export const theme = createTheme({
  primaryColor: 'harbor',
  primaryShade: { light: 7, dark: 6 },
  colors: { harbor, gray, dark },
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', Helvetica, Arial, sans-serif",
  defaultRadius: 6,
  cursorType: 'pointer',
  respectReducedMotion: true,
  headings: { fontWeight: '600' },
  components: {
    Button: { defaultProps: { size: 'sm' } },
    Switch: { defaultProps: { withThumbIndicator: false } },
    // Their texts are explained beside them.
    Tooltip: { defaultProps: { openDelay: 300 } },
  },
});

/** What is read on a surface keeps a contrast of 4.5 to 1 [WCAG 2.2, 1.4.3]; the library's own greys don't. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-text': gray[9],
    '--mantine-color-placeholder': gray[6],
    '--mantine-color-error': '#b42318',
    '--mantine-color-anchor': harbor[7],
    '--mantine-color-default-border': gray[3],
  },
  dark: {
    '--mantine-color-error': '#ff9c92',
    '--mantine-color-anchor': harbor[3],
    '--mantine-color-default-color': dark[0],
    '--mantine-color-placeholder': dark[3],
  },
});
