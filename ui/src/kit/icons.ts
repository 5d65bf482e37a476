import ArrowLeft from "@lucide/svelte/icons/arrow-left";
import Check from "@lucide/svelte/icons/check";
import Copy from "@lucide/svelte/icons/copy";
import Info from "@lucide/svelte/icons/info";
import LogIn from "@lucide/svelte/icons/log-in";
import Mic from "@lucide/svelte/icons/mic";
import MicOff from "@lucide/svelte/icons/mic-off";
import Phone from "@lucide/svelte/icons/phone";
import PhoneOff from "@lucide/svelte/icons/phone-off";
import Plus from "@lucide/svelte/icons/plus";
import Settings from "@lucide/svelte/icons/settings";
import Trash from "@lucide/svelte/icons/trash";
import Alert from "@lucide/svelte/icons/triangle-alert";
import Video from "@lucide/svelte/icons/video";
import VideoOff from "@lucide/svelte/icons/video-off";
import Close from "@lucide/svelte/icons/x";

/** The app's icons: one set (Lucide, ISC), one grid, one stroke. */
export const icons = {
  alert: Alert,
  back: ArrowLeft,
  camera: Video,
  "camera-off": VideoOff,
  check: Check,
  close: Close,
  copy: Copy,
  "hang-up": PhoneOff,
  info: Info,
  join: LogIn,
  microphone: Mic,
  "microphone-off": MicOff,
  phone: Phone,
  plus: Plus,
  settings: Settings,
  trash: Trash,
};

export type IconName = keyof typeof icons;
