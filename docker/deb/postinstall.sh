#!/bin/sh
set -e
if [ "$1" = configure ]; then
	if ! getent passwd millrace >/dev/null; then
		adduser --system --group --quiet --home /var/lib/millrace --no-create-home millrace
	fi
	if getent group video >/dev/null; then adduser --quiet millrace video; fi
	if getent group render >/dev/null; then adduser --quiet millrace render; fi
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload
		systemctl enable millrace.service
		systemctl restart millrace.service
	fi
fi
