/** Lua for wrk: `uuid7()` makes an id of the present second, `device()` a viewer. */
export const LUA_IDS = `math.randomseed(os.time())
local random, format = math.random, string.format
local function uuid7()
  local ms = format("%012x", os.time() * 1000 - random(0, 999))
  return format("%s-%s-7%03x-%x%03x-%06x%06x", ms:sub(1, 8), ms:sub(9, 12), random(0, 4095), random(8, 11), random(0, 4095), random(0, 16777215), random(0, 16777215))
end
local function device() return format("device-%d", random(1, 2000)) end
`;
