package health

import (
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// gRPC's health checking protocol is one call, grpc.health.v1.Health/Check, with one
// text in its question and one number in its answer: so little of the two formats
// below it is written and read here.

const (
	// frameHead are the bytes before a message: whether it is compressed, and its
	// length.
	frameHead = 5
	// maxHealth is more than an answer needs.
	maxHealth = 64
)

// serving are what a service may be, by its number in the answer.
var serving = [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

// askHealth is the question about a service.
func askHealth(host, service string) *question {
	var message []byte
	if service != "" { // field 1, a text
		message = binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(service)))
		message = append(message, service...)
	}
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return &question{
		method: http.MethodPost, host: host,
		path: &url.URL{Path: "/grpc.health.v1.Health/Check"},
		fields: http.Header{
			"Content-Type": {"application/grpc"}, "Te": {"trailers"},
			"User-Agent": {"Doorward check"},
		},
		body: string(body) + string(message),
	}
}

// judgeHealth judges the answer to such a question.
func judgeHealth(answer *http.Response, r *Result) {
	r.Code = answer.StatusCode
	if answer.StatusCode != http.StatusOK {
		_, phrase, _ := strings.Cut(answer.Status, " ")
		r.Outcome, r.Description = L7Status, describe("%s", phrase)
		return
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxHealth))
	if err != nil {
		r.Outcome, r.Description = broken(err)
		return
	}
	if len(body) == maxHealth {
		r.Outcome, r.Description = L7Response, errHealth.Error()
		return
	}
	ended := answer.Trailer
	if ended.Get("Grpc-Status") == "" {
		ended = answer.Header
	}
	if status := ended.Get("Grpc-Status"); status != "0" {
		r.Outcome, r.Description = L7Status, notAnswered(status, ended.Get("Grpc-Message"))
		return
	}
	switch n, err := healthIn(body); {
	case err != nil:
		r.Outcome, r.Description = L7Response, err.Error()
	case n == 1:
		r.Outcome = L7OK
	case n < uint64(len(serving)):
		r.Outcome, r.Description = L7Status, serving[n]
	default:
		r.Outcome, r.Description = L7Status, describe("status %d", n)
	}
}

// notAnswered says why there is no answer to the question itself.
func notAnswered(status, message string) string {
	switch status {
	case "":
		return "the answer is none of gRPC"
	case "5":
		return "the server does not know the service"
	case "12":
		return "the server has no grpc.health.v1.Health"
	}
	if text, err := url.PathUnescape(message); err == nil {
		message = text
	}
	return describe("grpc-status %s: %s", status, message)
}

var errHealth = errors.New("the answer is none of grpc.health.v1.Health")

// healthIn reads the number in an answer, 0 where it is left out: field 1, a number.
func healthIn(body []byte) (uint64, error) {
	if len(body) < frameHead || body[0] != 0 ||
		uint64(binary.BigEndian.Uint32(body[1:])) != uint64(len(body)-frameHead) {
		return 0, errHealth
	}
	message := body[frameHead:]
	if len(message) == 0 {
		return 0, nil
	}
	n, size := binary.Uvarint(message[1:])
	if message[0] != 1<<3 || size <= 0 || 1+size != len(message) {
		return 0, errHealth
	}
	return n, nil
}
