/** Whether a version such as `3.10.7` is below a floor such as [3, 10]. */
export function isBelow(version: string, [floorMajor, floorMinor]: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < floorMajor || (major === floorMajor && minor < floorMinor);
}
