package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"doorward/app"
)

func newDemo() *cobra.Command {
	o := app.DemoOptions{Version: versionName()}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try Doorward: an edge with two small servers behind it",
		Long: `Starts an edge on https://whoami.localhost:8443 with certificates from a CA of its
own, and two small servers behind it. Prints what to open. Ctrl-C ends it.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(o, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.HTTP, "http", "127.0.0.1:8080", "`address` for plain HTTP")
	flags.StringVar(&o.HTTPS, "https", "127.0.0.1:8443", "`address` for HTTPS")
	flags.StringVar(&o.Dir, "dir", demoDir(), "`folder` for the internal CA and the configuration")
	_ = cmd.MarkFlagDirname("dir")
	return cmd
}

// demoDir is a folder that lasts, so that a browser has to trust the CA once.
func demoDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "doorward", "demo")
}

func runDemo(o app.DemoOptions, out io.Writer) error {
	app.TuneMemory(os.LookupEnv)
	signals := catchSignals()
	d, err := app.StartDemo(o)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w\nother ports: doorward demo --http 127.0.0.1:8081 "+
			"--https 127.0.0.1:8444", err)
	}
	if err != nil {
		return explained(err)
	}
	defer d.Close()
	describe(d, o, out)
	return signals.serve(d.App)
}

// describe prints what there is to try.
func describe(d *app.Demo, o app.DemoOptions, out io.Writer) {
	plain, secure := d.Addr(o.HTTP), d.Addr(o.HTTPS)
	site := "https://" + hostAt(app.DemoHost, secure)
	fmt.Fprintf(out, `Doorward is running with two servers behind it. Ctrl-C ends it.

  open     %s
           (your browser does not know the CA yet: go on all the same, or import the root)
           http://%s redirects there
  sign in  https://%s
           as %s with %s; then %s knows who you are
  curl     curl --cacert %s \
                --resolve %s:%s %s
  stats    https://%s
  root     %s
  config   %s
`, site, hostAt(app.DemoHost, plain), hostAt(app.DemoPrivate, secure), d.User, d.Password,
		hostAt(app.DemoSignIn, secure), quoted(d.Root), hostAt(app.DemoHost, secure),
		reachable(secure), site, hostAt(app.DemoStats, secure), d.Root, d.Config)
	if d.Control != "" {
		fmt.Fprintf(out, "           change it, then: doorward reload --control %s\n"+
			"  drain    doorward server drain whoami/whoami-1 --control %[1]s\n", quoted(d.Control))
	}
	fmt.Fprintln(out)
}

// hostAt is a host with the port of a listener.
func hostAt(host string, a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return net.JoinHostPort(host, port)
}

// reachable is where a client on this machine finds a listener, in the form that
// curl --resolve takes.
func reachable(a net.Addr) string {
	ip := netip.MustParseAddrPort(a.String()).Addr()
	switch {
	case ip.IsUnspecified():
		return "127.0.0.1"
	case ip.Is6():
		return "[" + ip.String() + "]"
	}
	return ip.String()
}

// quoted is a path for a shell.
func quoted(path string) string {
	for _, r := range path {
		if r <= ' ' || r == '\'' || r == '"' || r == '$' || r == '\\' {
			return fmt.Sprintf("'%s'", path)
		}
	}
	return path
}
