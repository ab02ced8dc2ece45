import { ActionIcon, useMantineColorScheme } from '@mantine/core';
import { IconDeviceDesktop, IconMoon, IconSun } from '@tabler/icons-react';

const order = ['auto', 'light', 'dark'] as const;
const looks = {
  auto: { label: 'Colours: as the system has them', Icon: IconDeviceDesktop },
  light: { label: 'Colours: light', Icon: IconSun },
  dark: { label: 'Colours: dark', Icon: IconMoon },
};

/** The system's light or dark, or one of both for good. */
export function SchemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { label, Icon } = looks[colorScheme];
  const next = order[(order.indexOf(colorScheme) + 1) % order.length] ?? 'auto';
  return (
    <ActionIcon
      variant="default"
      size="lg"
      aria-label={label}
      title={label}
      onClick={() => setColorScheme(next)}
    >
      <Icon size={18} stroke={1.7} aria-hidden />
    </ActionIcon>
  );
}
