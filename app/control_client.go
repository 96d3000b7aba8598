package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
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
	var r Report
	return r, c.ask(ctx, http.MethodPost, "/reload", &r)
}

// Version asks the instance what it is.
func (c Client) Version(ctx context.Context) (Version, error) {
	var v Version
	return v, c.ask(ctx, http.MethodGet, "/version", &v)
}

func (c Client) ask(ctx context.Context, method, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://control"+path, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", c.Socket)
		},
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return c.unanswered(err)
	}
	defer response.Body.Close()
	body := json.NewDecoder(response.Body)
	if response.StatusCode == http.StatusOK {
		err = body.Decode(into)
	} else {
		var no refusal
		if err = body.Decode(&no); err == nil {
			return &RefusedError{no.Error}
		}
	}
	if err != nil {
		return fmt.Errorf("control socket %s: status %d: %w", c.Socket, response.StatusCode, err)
	}
	return nil
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
