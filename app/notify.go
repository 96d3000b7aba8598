package app

import (
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// notifier tells systemd what state the service is in (sd_notify(3)). Without
// NOTIFY_SOCKET in the environment it does nothing.
type notifier struct{ log *zap.Logger }

// ready says that the service serves.
func (n notifier) ready(status string) {
	n.send(daemon.SdNotifyReady, "STATUS="+status)
}

// reloading says that a reload begins; ready has to follow. The time lets
// systemd tell this reload from an earlier one (Type=notify-reload).
func (n notifier) reloading() {
	n.send(daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()),
		"STATUS=reading the configuration")
}

// stopping says that the service drains for up to the given time. systemd has a
// limit of its own on that, which a longer drain extends.
func (n notifier) stopping(drain time.Duration) {
	n.send(daemon.SdNotifyStopping,
		fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (drain+afterwards).Microseconds()),
		fmt.Sprintf("STATUS=draining for up to %v", drain))
}

// send sends assignments in one message. A manager that is gone is no reason
// not to serve.
func (n notifier) send(assignments ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(assignments, "\n")); err != nil {
		n.log.Warn("systemd not told", zap.Error(err))
	}
}
