package test_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"doorward/internal/edgetest"
	"doorward/internal/porttest"
)

// program finds a program of the distribution. Where tests are the whole point,
// it has to be there.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, folder := range []string{"", "/usr/sbin/", "/sbin/"} {
		if path, err := exec.LookPath(folder + name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed; make tools installs it", name)
	}
	t.Skipf("%s is not installed; make tools installs it", name)
	return ""
}

// daemon runs a program that is to listen on address until the test ends.
func daemon(t *testing.T, address, name string, args ...string) {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(program(t, name), args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	if !edgetest.Until(func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}) {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("%s does not listen: %s", name, said.String())
	}
}

// startNginx starts an nginx that serves and takes files of a folder.
func startNginx(t *testing.T) (url, folder string) {
	t.Helper()
	program(t, "nginx")
	dir, address := t.TempDir(), porttest.Address(t)
	// Its workers may be another user, who must get at the folder.
	for p := dir; p != os.TempDir() && p != "/"; p = filepath.Dir(p) {
		_ = os.Chmod(p, 0o777)
	}
	config := fmt.Sprintf(`daemon off; pid nginx.pid; error_log stderr crit; worker_processes 1;
		events {}
		http {
			access_log off; default_type text/plain;
			client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
			uwsgi_temp_path tmp; scgi_temp_path tmp;
			server {
				listen %s; root %s; client_max_body_size 0;
				location /files/ { dav_methods PUT DELETE; }
				location = /host { return 200 "$host $http_x_forwarded_proto $request_method\n"; }
				location = /none { return 204; }
				location = /small { client_max_body_size 1k; dav_methods PUT; }
			}
		}`, address, dir)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(dir, "files")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(folder, 0o777)
	daemon(t, address, "nginx", "-e", "stderr", "-p", dir, "-c", file)
	return "http://" + address, folder
}

// startHAProxy starts an HAProxy that answers by itself.
func startHAProxy(t *testing.T) (url string) {
	t.Helper()
	address := porttest.Address(t)
	config := fmt.Sprintf(`
defaults
	mode http
	timeout client 10s
	timeout server 10s
	timeout connect 1s
frontend all
	bind %s
	http-request return status 200 content-type text/plain lf-string "%%[req.hdr(host)] %%[method] %%[path]\n"
`, address)
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon(t, address, "haproxy", "-db", "-f", file)
	return "http://" + address
}

// curl asks app.example with curl, over the plain listener or TLS.
func curl(t *testing.T, edge *edgetest.Edge, secure bool, path string, args ...string) string {
	t.Helper()
	scheme, address := "http", edge.HTTP
	if secure {
		scheme, address = "https", edge.HTTPS
	}
	_, port, _ := net.SplitHostPort(address)
	args = append([]string{"-sS", "--http1.1", "-k", "--max-time", "60", "--resolve",
		"app.example:" + port + ":127.0.0.1"}, args...)
	var out, said bytes.Buffer
	cmd := exec.Command(program(t, "curl"), append(args, scheme+"://app.example:"+port+path)...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Errorf("curl %q: %v: %s", args, err, said.String())
	}
	return out.String()
}

func TestCurlAndNginx(t *testing.T) {
	program(t, "curl")
	url, folder := startNginx(t)
	edge := edgetest.Start(t, siteOf(fmt.Sprintf("servers = [%q]", url)))
	file := filepath.Join(t.TempDir(), "file")
	content, _ := io.ReadAll(io.LimitReader(newPattern(), 5<<20))
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			ask := func(path string, args ...string) string { return curl(t, edge, secure, path, args...) }
			proto := map[bool]string{false: "http", true: "https"}[secure]
			if got := ask("/host"); got != "app.example "+proto+" GET\n" {
				t.Errorf("GET gives %q", got)
			}
			if got := ask("/host", "--http1.0"); got != "app.example "+proto+" GET\n" {
				t.Errorf("HTTP/1.0 gives %q", got)
			}
			if got := ask("/none", "-w", "%{http_code}"); got != "204" {
				t.Errorf("204 gives %q", got)
			}
			// Files of this size come with Expect: 100-continue; -T - comes in chunks.
			for path, args := range map[string][]string{
				"/files/sized":  {"-T", file, "-o", os.DevNull, "-w", "%{http_code}"},
				"/files/chunks": {"-T", file, "-H", "Transfer-Encoding: chunked", "-o", os.DevNull, "-w", "%{http_code}"},
			} {
				if got := ask(path, args...); got != "201" && got != "204" {
					t.Errorf("upload to %s gives %q", path, got)
				}
				if kept, _ := os.ReadFile(filepath.Join(folder, filepath.Base(path))); !bytes.Equal(kept, content) {
					t.Errorf("%s arrived as %d bytes", path, len(kept))
				}
				if got := ask(path); got != string(content) {
					t.Errorf("%s comes back as %d bytes", path, len(got))
				}
			}
			if got := ask("/files/sized", "-r", "1000-1999"); got != string(content[1000:2000]) {
				t.Errorf("a range gives %d bytes", len(got))
			}
			if got := ask("/files/sized", "-I"); !strings.Contains(got, fmt.Sprint(len(content))) ||
				strings.Contains(got, "Server:") {
				t.Errorf("HEAD gives %q", got)
			}
			if got := ask("/small", "-T", file, "-o", os.DevNull, "-w", "%{http_code}"); got != "413" {
				t.Errorf("a file that the server refuses gives %q", got)
			}
			// One connection for all of them.
			if got := ask("/host?[1-20]", "-o", os.DevNull, "-w", "%{num_connects} "); got != "1 "+
				strings.Repeat("0 ", 19) {
				t.Errorf("20 requests took connections %q", got)
			}
		})
	}
}

func TestCurlAndHAProxy(t *testing.T) {
	program(t, "curl")
	edge := edgetest.Start(t, siteOf(fmt.Sprintf("servers = [%q]", startHAProxy(t))))
	for _, secure := range []bool{false, true} {
		_, port, _ := net.SplitHostPort(map[bool]string{false: edge.HTTP, true: edge.HTTPS}[secure])
		for _, c := range []struct {
			args []string
			want string
		}{
			{nil, "GET"}, {[]string{"-d", "a=b"}, "POST"}, {[]string{"-X", "DELETE"}, "DELETE"},
			{[]string{"-X", "PUT", "-H", "Transfer-Encoding: chunked", "-d", "a=b"}, "PUT"},
			{[]string{"-H", "Connection: close"}, "GET"},
		} {
			got := curl(t, edge, secure, "/a/b?c", c.args...)
			if got != "app.example:"+port+" "+c.want+" /a/b\n" && got != "app.example "+c.want+" /a/b\n" {
				t.Errorf("curl %q gives %q", c.args, got)
			}
		}
	}
}
