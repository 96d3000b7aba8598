package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// What is wrong with standard input as a password.
var (
	errTyped = errors.New("the password is the first line of standard input: give a file or a" +
		" pipe, or let the user choose one with doorward user link USER")
	errNoPassword = errors.New("standard input has no password: its first line is empty")
)

// maxPasswordLine is longer than any password that is taken.
const maxPasswordLine = 8 << 10

// readPassword reads a password, which must not be typed where others can read it.
func readPassword(in io.Reader) (string, error) {
	if file, ok := in.(*os.File); ok {
		info, err := file.Stat()
		if err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return "", errTyped
		}
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxPasswordLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("standard input: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errNoPassword
	}
	return line, nil
}
