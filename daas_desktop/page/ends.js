// What the end of a web socket means for the person: pure, used by picture.js.

// Our server's own codes (RFC 6455, 7.4.2): the reason is a sentence for the person, and nothing is
// tried again. 4003 is "NAME has ended your visit."
const OURS = [4000, 4999];
// "Going away": said at sign-out, so it is asked at once who is there.
const GOING_AWAY = 1001;

export function meaningOf(code, reason = "") {
  if (code >= OURS[0] && code <= OURS[1]) {
    return { last: true, message: reason || "Your visit has been ended." };
  }
  return { last: false, atOnce: code === GOING_AWAY };
}
