package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"

	"doorward/internal/safe"
)

// control is the socket that the subcommands of doorward talk to: HTTP with JSON
// over a Unix socket, so that curl --unix-socket works as well. What may be
// asked stands in commands.
type control struct {
	// path is "" for no socket.
	path   string
	file   os.FileInfo
	server *http.Server
	log    *zap.Logger
}

// Bounds of the control socket. An answer may take as long as a reload does. What
// is over controlMost waits in the kernel until one of those has gone.
const (
	controlRead    = 10 * time.Second
	controlAnswer  = 2 * time.Minute
	controlHead    = 16 << 10
	controlBody    = 64 << 10
	controlMost    = 64
	controlGoodbye = 5 * time.Second
)

// commands are what the control socket answers, by method and path.
// docs/operation.md has a row for each.
func (a *App) commands() map[string]command {
	return map[string]command{
		"POST /reload":                            a.doReload,
		"GET /version":                            a.doVersion,
		"GET /servers":                            a.doServers,
		"POST /servers/{backend}/{server}/state":  a.doState,
		"POST /servers/{backend}/{server}/weight": a.doWeight,
		"GET /sticks/{backend}":                   a.doSticks,
		"DELETE /sticks/{backend}":                a.doClearSticks,
		"GET /connections":                        a.doConnections,
		"POST /backends/{backend}/probe":          a.doProbe,
		"GET /certificates":                       a.doCertificates,
		renewal:                                   a.doRenew,
		"GET /root":                               a.doRoot,
		"GET /users":                              a.doUsers,
		"POST /users":                             a.doAddUser,
		"GET /users/{user}":                       a.doUser,
		"DELETE /users/{user}":                    a.doDeleteUser,
		"POST /users/{user}/state":                a.doUserState,
		"POST /users/{user}/password":             a.doPassword,
		"POST /users/{user}/invitation":           a.doInvite,
		"GET /users/{user}/tokens":                a.doTokens,
		"POST /users/{user}/tokens":               a.doAddToken,
		"DELETE /users/{user}/sessions":           a.doEndSessions,
		"GET /groups":                             a.doGroups,
		"GET /groups/{group}":                     a.doGroup,
		"PUT /groups/{group}":                     a.doAddGroup,
		"DELETE /groups/{group}":                  a.doDeleteGroup,
		"PUT /groups/{group}/members/{user}":      a.doJoin,
		"DELETE /groups/{group}/members/{user}":   a.doPart,
		"GET /sessions":                           a.doSessions,
		"DELETE /sessions/{id}":                   a.doEndSession,
		"GET /tokens":                             a.doAllTokens,
		"DELETE /tokens/{id}":                     a.doDeleteToken,
		"GET /events":                             a.doEvents,
		"GET /why":                                a.doWhy,
	}
}

func (a *App) controlPages() http.Handler {
	mux := http.NewServeMux()
	for pattern, do := range a.commands() {
		if pattern == renewal {
			mux.Handle(pattern, unhurried(do, RenewTime))
			continue
		}
		mux.Handle(pattern, do)
	}
	return mux
}

func (a *App) doReload(r *http.Request) (any, error) {
	a.live.Load().log.Info("reload asked for", zap.String("by", caller(r)))
	report, err := a.Reload()
	if err != nil && !errors.Is(err, ErrStopped) {
		err = &askError{http.StatusUnprocessableEntity, err}
	}
	return report, err
}

// Version is what a running instance says about itself.
type Version struct {
	// Version is that of Doorward, Go the release it was built with.
	Version string `json:"version"`
	Go      string `json:"go"`
	// PID is the process.
	PID int `json:"pid"`
	// Config is the configuration file, as it was named at the start.
	Config string `json:"config"`
	// Started is when.
	Started time.Time `json:"started"`
}

func (a *App) doVersion(*http.Request) (any, error) {
	return Version{
		Version: a.options.Version, Go: runtime.Version(), PID: os.Getpid(),
		Config: a.options.Path, Started: a.started,
	}, nil
}

// openControl opens the control socket and answers on it.
func openControl(path string, pages http.Handler, log *zap.Logger) (*control, error) {
	if path == "" {
		return &control{}, nil
	}
	sock, file, err := listenSocket(path)
	if err != nil {
		return nil, &socketError{path, err}
	}
	server := &http.Server{
		Handler: pages, ReadTimeout: controlRead, WriteTimeout: controlAnswer,
		IdleTimeout: controlRead, MaxHeaderBytes: controlHead, ErrorLog: zap.NewStdLog(log),
	}
	c := &control{path: path, file: file, server: server, log: log}
	bounded := netutil.LimitListener(callers{sock}, controlMost)
	safe.Go(log, "control socket", func() { c.serve(bounded) })
	return c, nil
}

func (c *control) serve(sock net.Listener) {
	if err := c.server.Serve(sock); !errors.Is(err, http.ErrServerClosed) {
		c.log.Error("control socket closed", zap.Error(err))
	}
}

// moveTo returns the control socket at path: c itself where that is the path
// already, else a new one, beside which c goes on until it is closed.
func (c *control) moveTo(path string, pages http.Handler, log *zap.Logger) (*control, error) {
	if path == c.path && (path == "" || c.owns()) {
		return c, nil
	}
	return openControl(path, pages, log)
}

// owns tells whether what stands at the path is still this socket.
func (c *control) owns() bool {
	file, err := os.Lstat(c.path)
	return err == nil && os.SameFile(file, c.file)
}

// close removes the socket. Who is being answered gets the answer: it may be
// about the very reload that closes this socket.
func (c *control) close() {
	if c.server == nil {
		return
	}
	if c.owns() {
		_ = os.Remove(c.path)
	}
	safe.Go(c.log, "control socket", func() {
		ctx, cancel := context.WithTimeout(context.Background(), controlGoodbye)
		defer cancel()
		if c.server.Shutdown(ctx) != nil {
			_ = c.server.Close()
		}
	})
}
