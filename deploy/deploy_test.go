// Package deploy_test holds the systemd unit and the Dockerfile to what the
// documentation promises of them, without running either: no root, no container
// engine and no systemd are needed, and systemd's own check is used where it is
// installed.
package deploy_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// unit is a parsed unit file: "Section.Key" to its values in order.
type unit map[string][]string

func parseUnit(t *testing.T, text string) unit {
	t.Helper()
	u, section := unit{}, ""
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch key, value, found := strings.Cut(line, "="); {
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			section = strings.Trim(line, "[]")
		case found:
			u[section+"."+key] = append(u[section+"."+key], value)
		default:
			t.Errorf("line %d is neither a section nor a setting: %q", n+1, line)
		}
	}
	return u
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestUnitSaysWhatItMust(t *testing.T) {
	u := parseUnit(t, read(t, "doorward.service"))
	for key, want := range map[string]string{
		"Service.Type":                  "notify",
		"Service.User":                  "doorward",
		"Service.Restart":               "on-failure",
		"Service.AmbientCapabilities":   "CAP_NET_BIND_SERVICE",
		"Service.CapabilityBoundingSet": "CAP_NET_BIND_SERVICE",
		"Service.NoNewPrivileges":       "yes",
		"Service.ProtectSystem":         "strict",
		"Service.RuntimeDirectory":      "doorward",
		"Service.StateDirectory":        "doorward",
		"Install.WantedBy":              "multi-user.target",
	} {
		if got := u[key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q once", key, got, want)
		}
	}
	if got := u["Service.ProcSubset"]; got != nil {
		t.Errorf("ProcSubset=%s hides the length of the listen queue", got)
	}
	if got := u["Service.DynamicUser"]; got != nil {
		t.Error("a dynamic user cannot own private keys")
	}
}

func TestUnitChecksRunsAndReloadsTheSameFile(t *testing.T) {
	u := parseUnit(t, read(t, "doorward.service"))
	const config = " --config /etc/doorward/doorward.toml"
	for key, command := range map[string]string{
		"ExecStartPre": "check", "ExecStart": "run", "ExecReload": "reload",
	} {
		want := "/usr/bin/doorward " + command + config
		if got := u["Service."+key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestUnitGivesTheDrainItsTime(t *testing.T) {
	const drain = 30 * time.Second // the default of timeouts.drain
	u := parseUnit(t, read(t, "doorward.service"))
	stop, err := time.ParseDuration(strings.Join(u["Service.TimeoutStopSec"], ""))
	if err != nil || stop <= drain {
		t.Errorf("TimeoutStopSec is %v (%v), want more than %v", stop, err, drain)
	}
}

func TestUserOfTheUnitIsMade(t *testing.T) {
	u := parseUnit(t, read(t, "doorward.service"))
	line := regexp.MustCompile(`(?m)^u ` + regexp.QuoteMeta(strings.Join(u["Service.User"], "")) + ` `)
	if !line.MatchString(read(t, "doorward.sysusers")) {
		t.Errorf("doorward.sysusers does not make the user %q", u["Service.User"])
	}
}

// systemd looks for the programs of a unit, so they are replaced by one that
// exists everywhere.
func TestSystemdAcceptsTheUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "doorward.service")
	text := strings.ReplaceAll(read(t, "doorward.service"), "/usr/bin/doorward", self)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput()
	if err != nil || strings.Contains(string(out), file) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// instruction is one of a Dockerfile, continued lines joined.
type instruction struct{ word, rest string }

// stages are the instructions of each FROM, that one included.
func stages(text string) [][]instruction {
	text = regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, "\\\n", "")
	var all [][]instruction
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "FROM" {
			all = append(all, nil)
		}
		if word != "" && len(all) > 0 {
			all[len(all)-1] = append(all[len(all)-1], instruction{word, strings.TrimSpace(rest)})
		}
	}
	return all
}

func only(t *testing.T, stage []instruction, word string) string {
	t.Helper()
	var found []string
	for _, i := range stage {
		if i.word == word {
			found = append(found, i.rest)
		}
	}
	if len(found) != 1 {
		t.Errorf("%d times %s, want once", len(found), word)
		return ""
	}
	return found[0]
}

func TestImageIsBuiltWithTheToolchainOfTheModule(t *testing.T) {
	toolchain := regexp.MustCompile(`(?m)^toolchain go(\S+)$`).FindStringSubmatch(read(t, "../go.mod"))
	if toolchain == nil {
		t.Fatal("go.mod names no toolchain")
	}
	build := stages(read(t, "../Dockerfile"))[0]
	if want := "golang:" + toolchain[1] + " AS build"; only(t, build, "FROM") != want {
		t.Errorf("FROM %s, want %s", only(t, build, "FROM"), want)
	}
	if !slices.ContainsFunc(build, func(i instruction) bool {
		return i.word == "RUN" && strings.Contains(i.rest, "CGO_ENABLED=0 go build ")
	}) {
		t.Error("the binary is not built without cgo, so it is not static")
	}
}

func TestImageHoldsNothingToBreakInWith(t *testing.T) {
	all := stages(read(t, "../Dockerfile"))
	image := all[len(all)-1]
	if base := only(t, image, "FROM"); base != "scratch" {
		t.Errorf("the image begins with %s, not with nothing", base)
	}
	if user := only(t, image, "USER"); !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
		t.Errorf("USER %s: root, or a name that nothing in the image can resolve", user)
	}
	for _, word := range []string{"ENTRYPOINT", "CMD"} {
		var args []string
		if text := only(t, image, word); json.Unmarshal([]byte(text), &args) != nil {
			t.Errorf("%s %s needs a shell, and there is none", word, text)
		}
	}
	certificates := false
	for _, i := range image {
		switch i.word {
		case "RUN", "ADD":
			t.Errorf("%s %s in the image itself", i.word, i.rest)
		case "COPY":
			certificates = certificates || strings.HasSuffix(i.rest, "/etc/ssl/certs/ca-certificates.crt")
			if !strings.HasPrefix(i.rest, "--from=build ") {
				t.Errorf("COPY %s: not from the build stage", i.rest)
			}
		}
	}
	if !certificates {
		t.Error("no certificates of public authorities: no https server can be verified")
	}
}

// What .dockerignore hides must not be a source, nor a file that one embeds.
func TestImageIsBuiltFromAllSources(t *testing.T) {
	const files = `{{if not .Standard}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}
{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}
{{end}}{{end}}`
	out, err := exec.Command("go", "list", "-deps", "-f", files, "../cmd/doorward").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	top, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	hidden := strings.Fields(regexp.MustCompile(`(?m)^#.*$`).ReplaceAllString(read(t, "../.dockerignore"), ""))
	sources := 0
	for _, file := range strings.Fields(string(out)) {
		name, ours := strings.CutPrefix(file, top+"/")
		if !ours {
			continue
		}
		sources++
		folder, _, _ := strings.Cut(name, "/")
		matched, err := filepath.Match("*.md", name)
		if err != nil {
			t.Fatal(err)
		}
		if matched || slices.Contains(hidden, folder) || strings.Contains(name, "/testdata/") {
			t.Errorf(".dockerignore hides %s, which is part of the binary", name)
		}
	}
	if sources == 0 {
		t.Error("go list names no source of ours")
	}
}
