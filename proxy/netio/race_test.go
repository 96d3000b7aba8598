//go:build race

package netio_test

const raceDetector = true
