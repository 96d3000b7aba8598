package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// named is the certificate of one name: chain and key in one file.
type named struct{ Name, File string }

func nameOf(i int) string { return fmt.Sprintf("name%05d.many.test", i) }

// certificatesTurn compares a proxy with the certificates of all names, one
// picked by chance for each handshake, to itself with one of them.
func (l *lab) certificatesTurn(ctx context.Context, r row, running *proxy, d time.Duration) (
	sample, error,
) {
	one := r
	one.names = 1
	alone, err := l.certificatesOf(ctx, one, *running, d)
	if err != nil {
		return sample{}, err
	}
	s, err := l.certificatesOf(ctx, r, *running, d)
	s.Alone = alone.perRequest()
	return s, err
}

// certificatesOf measures a process of its own with the certificates of the row's
// names.
func (l *lab) certificatesOf(ctx context.Context, r row, p proxy, d time.Duration) (
	s sample, err error,
) {
	set := l.setting
	if set.Certificate, set.Named, err = l.certificates(r.names); err != nil {
		return s, err
	}
	begin := time.Now()
	if err := l.launch(ctx, &p, set); err != nil {
		return s, err
	}
	defer p.process.stop()
	s.Start = time.Since(begin)
	if s.Resident, err = p.process.memory("VmRSS"); err != nil {
		return s, err
	}
	r.kind = "fresh"
	w := stopwatch{process: p.process}
	if s.outcome, err = l.apply(ctx, r, &p, d, &w); err != nil {
		return s, err
	}
	s.CPU = w.used
	if strings.HasPrefix(p.name, "doorward") {
		s.Reload, err = l.reload(ctx, &p)
	}
	return s, err
}

// reload has Doorward read its configuration again, the same as before.
func (l *lab) reload(ctx context.Context, p *proxy) (time.Duration, error) {
	begin := time.Now()
	cmd := exec.CommandContext(ctx, p.version[0], "reload", "--control", p.control)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("reload: %w: %s", err, out)
	}
	return time.Since(begin), nil
}

// certificates returns a folder with those of so many names, which is made when
// it is not there yet.
func (l *lab) certificates(n int) (dir string, all []named, err error) {
	dir = filepath.Join(l.dir, fmt.Sprintf("names-%d", n))
	for i := range n {
		name := nameOf(i)
		all = append(all, named{name, filepath.Join(dir, name+".pem")})
	}
	if err := os.Mkdir(dir, 0o700); os.IsExist(err) {
		return dir, all, nil
	} else if err != nil {
		return "", nil, err
	}
	if l.authority == nil {
		if l.authority, err = newAuthority(l.trusted(), certificateFor("authority.test")); err != nil {
			return "", nil, err
		}
	}
	for _, n := range all {
		if err := l.authority.write(n.Name, n.File); err != nil {
			return "", nil, err
		}
	}
	return dir, all, nil
}

// trusted is the file with the authority behind the certificates of many names.
func (l *lab) trusted() string { return filepath.Join(l.dir, "authority.crt") }
