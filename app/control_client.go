package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"

	"github.com/pelletier/go-toml/v2"

	"doorward/config"
)

// Client talks to the instance that answers at a control socket.
type Client struct {
	// Socket is the path of the socket.
	Socket string
}

// ErrNoControl says that an instance was configured without a control socket.
var ErrNoControl = errors.New(
	"listen.control is empty, so there is no socket to ask: send the process SIGHUP")

// RefusedError is the answer of an instance that did not do what it was asked.
type RefusedError struct {
	// Reason is what the instance said, one finding a line.
	Reason string
}

// Error is the reason.
func (e *RefusedError) Error() string { return e.Reason }

// Reload asks the instance to read its configuration again, and waits. A
// *RefusedError means that its old configuration stays in force.
func (c Client) Reload(ctx context.Context) (Report, error) {
	return ask[Report](ctx, c, http.MethodPost, "/reload", nil)
}

// Version asks the instance what it is.
func (c Client) Version(ctx context.Context) (Version, error) {
	return ask[Version](ctx, c, http.MethodGet, "/version", nil)
}

// Certificates tells which certificates the instance shows, and how it stands with
// those that it orders.
func (c Client) Certificates(ctx context.Context) (Certificates, error) {
	return ask[Certificates](ctx, c, http.MethodGet, "/certificates", nil)
}

// RenewCertificate has a certificate ordered now, and waits for it.
func (c Client) RenewCertificate(ctx context.Context, name string) (CertificateStatus, error) {
	return ask[CertificateStatus](ctx, c, http.MethodPost,
		"/certificates/"+segment(name)+"/renewal", nil)
}

// InternalRoot tells whom clients of the internal CA's hosts must trust.
func (c Client) InternalRoot(ctx context.Context) (Root, error) {
	return ask[Root](ctx, c, http.MethodGet, "/root", nil)
}

// Servers tells what the servers are, of one backend or, for "", of all.
func (c Client) Servers(ctx context.Context, backendName string) (Servers, error) {
	path := "/servers"
	if backendName != "" {
		path += "?" + url.Values{"backend": {backendName}}.Encode()
	}
	return ask[Servers](ctx, c, http.MethodGet, path, nil)
}

// SetState sets what people say of a server: "ready", "drain" or "maint". It returns
// what the server is then.
func (c Client) SetState(ctx context.Context, s ServerName, state string) (ServerStatus, error) {
	asked := map[string]string{"state": state}
	return ask[ServerStatus](ctx, c, http.MethodPost, s.path()+"/state", asked)
}

// SetWeight gives a server a weight of 0 to 256, or DefaultWeight.
func (c Client) SetWeight(ctx context.Context, s ServerName, weight int) (ServerStatus, error) {
	asked := map[string]askedWeight{"weight": askedWeight(weight)}
	return ask[ServerStatus](ctx, c, http.MethodPost, s.path()+"/weight", asked)
}

// Sticks lists entries of the stick table of a backend.
func (c Client) Sticks(ctx context.Context, backendName string, of StickChoice) (Sticks, error) {
	path := "/sticks/" + segment(backendName) + "?" + of.query().Encode()
	return ask[Sticks](ctx, c, http.MethodGet, path, nil)
}

// ClearSticks forgets entries of the stick table of a backend, and returns how many
// there were. A choice of nothing is all of them; its limit does not count.
func (c Client) ClearSticks(ctx context.Context, backendName string, of StickChoice) (int, error) {
	of.Limit = 0
	query := of.query()
	if len(query) == 0 {
		query.Set("all", "true")
	}
	path := "/sticks/" + segment(backendName) + "?" + query.Encode()
	done, err := ask[cleared](ctx, c, http.MethodDelete, path, nil)
	return done.Cleared, err
}

// Connections lists client connections, at most limit of them; 0 is 100.
func (c Client) Connections(ctx context.Context, limit int) (Connections, error) {
	path := "/connections"
	if limit != 0 {
		path += "?limit=" + strconv.Itoa(limit)
	}
	return ask[Connections](ctx, c, http.MethodGet, path, nil)
}

// Probe has every server of a backend checked once. That a check fails is no error.
func (c Client) Probe(ctx context.Context, backendName string) (Probe, error) {
	return ask[Probe](ctx, c, http.MethodPost, "/backends/"+segment(backendName)+"/probe", nil)
}

func (n ServerName) path() string {
	return "/servers/" + segment(n.Backend) + "/" + segment(n.Server)
}

// segment is a name as one segment of a path. A name of dots alone would be taken
// for a step.
func segment(name string) string {
	if name == "." || name == ".." {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return url.PathEscape(name)
}

// ask sends a request, with a body unless asked is nil, and reads the answer.
func ask[T any](ctx context.Context, c Client, method, path string, asked any) (T, error) {
	var into T
	response, err := c.send(ctx, method, path, asked)
	if err != nil {
		return into, c.unanswered(err)
	}
	defer response.Body.Close()
	var refused *RefusedError
	if err = read(response, &into); err == nil || errors.As(err, &refused) {
		return into, err
	}
	return into, fmt.Errorf("control socket %s: status %d: %w", c.Socket, response.StatusCode, err)
}

func (c Client) send(ctx context.Context, method, path string, asked any) (*http.Response, error) {
	var body io.Reader
	if asked != nil {
		text, err := json.Marshal(asked)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://control"+path, body)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", c.Socket)
		},
	}
	return transport.RoundTrip(request)
}

// errOlder is what an answer means that is not in JSON.
var errOlder = errors.New("the instance does not know this command: it is of another version")

func read(response *http.Response, into any) error {
	if response.Header.Get("Content-Type") != "application/json" {
		return errOlder
	}
	body := json.NewDecoder(response.Body)
	if response.StatusCode == http.StatusOK {
		return body.Decode(into)
	}
	var no refusal
	if err := body.Decode(&no); err != nil {
		return err
	}
	return &RefusedError{no.Error}
}

// unanswered says what it means that a socket did not answer.
func (c Client) unanswered(err error) error {
	meaning := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		meaning = "no instance has its control socket there: is it running, and with this " +
			"listen.control? --control names another socket"
	case errors.Is(err, syscall.ECONNREFUSED):
		meaning = "nobody answers there: the instance has ended"
	case errors.Is(err, fs.ErrPermission):
		meaning = "not allowed: the socket is for the user and the group of the instance"
	default:
		return fmt.Errorf("control socket %s: %w", c.Socket, err)
	}
	return fmt.Errorf("control socket %s: %s", c.Socket, meaning)
}

// ControlPath finds the control socket in a configuration file. It takes a file
// with mistakes too, because the instance is the one to refuse that, and reads
// no secrets: who reloads need not be able to.
func ControlPath(file string) (string, error) {
	cfg, _ := config.Load(file, os.LookupEnv)
	if cfg != nil {
		return cfg.Listen.Control, controlGiven(cfg.Listen.Control)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var loose struct{ Listen struct{ Control string } }
	listen, _ := reflect.TypeFor[config.Listen]().FieldByName("Control")
	loose.Listen.Control = listen.Tag.Get("default")
	// What stands before a mistake of syntax has been read in spite of the error.
	_ = toml.Unmarshal(text, &loose)
	path := loose.Listen.Control
	if path == "" || filepath.IsAbs(path) {
		return path, controlGiven(path)
	}
	return filepath.Join(filepath.Dir(file), path), nil
}

func controlGiven(path string) error {
	if path == "" {
		return ErrNoControl
	}
	return nil
}
