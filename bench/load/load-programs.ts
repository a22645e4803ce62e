import { existsSync } from 'node:fs';
import { installPackages, canInstallPackages } from '../../test/servers/provision.ts';

/** What a load needs beyond the tests' own programs: a file that shows it is there, and Debian's package for it. */
const NEEDED: Readonly<Record<'always' | 'django', readonly (readonly [string, string])[]>> = {
  always: [['/usr/bin/wrk', 'wrk']],
  django: [
    ['/usr/lib/python3/dist-packages/gunicorn', 'python3-gunicorn'],
    ['/usr/lib/python3/dist-packages/celery', 'python3-celery'],
    ['/usr/lib/python3/dist-packages/django', 'python3-django'],
    ['/usr/lib/python3/dist-packages/django_redis', 'python3-django-redis'],
    ['/usr/lib/python3/dist-packages/hiredis', 'python3-hiredis'],
    ['/usr/lib/python3/dist-packages/psycopg2', 'python3-psycopg2'],
  ],
};

/** Makes them available, or throws saying what to install. */
export async function provisionLoad(peer: 'django' | 'none'): Promise<void> {
  const needed = [...NEEDED.always, ...(peer === 'django' ? NEEDED.django : [])];
  const missing = needed.filter(([file]) => !existsSync(file)).map(([, name]) => name);
  if (missing.length === 0) return;
  if (!canInstallPackages()) throw new Error(`not on this machine; as root: apt-get install ${missing.join(' ')}`);
  await installPackages(missing);
}
