package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
	"unicode/utf8"
)

// maxFile bounds every file that is read: configuration files, and those that
// ${file:...} names.
const maxFile = 1 << 20

// source is one configuration file.
type source struct {
	name  string
	order int
	mode  fs.FileMode
	data  []byte
	// starts holds the offset of every line, once somebody asked.
	starts []int
}

// position is a byte of a source; the zero value is none. Lines and columns are
// counted only when somebody is told.
type position struct {
	file   *source
	offset int
}

// wholeFile is the offset of a mistake that concerns all of a file.
const wholeFile = -1

// order is the place of the file among those that were read.
func (p position) order() int {
	if p.file == nil {
		return 0
	}
	return p.file.order
}

// lineColumn counts both from 1, columns in characters. They are 0 for a file as
// a whole.
func (p position) lineColumn() (line, column int) {
	if p.file == nil || p.offset < 0 {
		return 0, 0
	}
	starts := p.file.lineStarts()
	line = sort.SearchInts(starts, p.offset+1)
	text := p.file.data[starts[line-1]:min(p.offset, len(p.file.data))]
	return line, 1 + utf8.RuneCount(text)
}

// String returns "file:line:column".
func (p position) String() string {
	line, column := p.lineColumn()
	return fmt.Sprintf("%s:%d:%d", p.file.name, line, column)
}

// at returns the diagnostic with its place.
func (d Diagnostic) at(p position) Diagnostic {
	if p.file != nil {
		d.File = p.file.name
	}
	d.Line, d.Column = p.lineColumn()
	return d
}

// lineStarts returns the offset of every line.
func (s *source) lineStarts() []int {
	if s.starts == nil {
		s.starts = []int{0}
		for i, c := range s.data {
			if c == '\n' {
				s.starts = append(s.starts, i+1)
			}
		}
	}
	return s.starts
}

// readSource reads one configuration file.
func readSource(name string, order int) (*source, error) {
	data, info, err := readFile(name)
	s := &source{name: name, order: order, data: data}
	if err == nil {
		s.mode = info.Mode()
		if i := bytes.IndexByte(data, 0); i >= 0 {
			err = errors.New("holds a NUL byte; this is not a text file")
		}
	}
	return s, err
}

// readFile reads a regular file of at most maxFile bytes. Devices and pipes are
// refused, because reading them may never end. Errors say what is wrong with
// the file without its name or contents.
func readFile(name string) ([]byte, fs.FileInfo, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, withoutName(err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errors.New("is not a regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, withoutName(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, withoutName(err)
	}
	if len(data) > maxFile {
		return nil, nil, fmt.Errorf("is larger than %v", Size(maxFile))
	}
	return data, info, nil
}

// withoutName takes the name of the file out of an error, because the message
// around it has it already.
func withoutName(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return fmt.Errorf("cannot be read: %w", pathErr.Err)
	}
	return fmt.Errorf("cannot be read: %w", err)
}
