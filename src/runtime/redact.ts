/** Text without the passwords of the URLs in it. */
export function withoutPasswords(text: string): string {
  return text.replaceAll(/(\w+:\/\/[^\s:/@"]*):[^\s@"]*@/g, '$1:***@').replaceAll(/([?&]password=)[^&\s"]*/g, '$1***');
}
