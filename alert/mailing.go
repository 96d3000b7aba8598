package alert

import (
	"context"
	"errors"

	"doorward/mail"
)

// mailing tells by mail.
type mailing struct {
	to     []string
	mailer Mailer
	host   string
}

func (m mailing) prepare(b batch) attempt {
	message := mail.Message{To: m.to, Subject: headline(m.host, b), Text: body(m.host, b)}
	return func(ctx context.Context) error {
		err := m.mailer.Send(ctx, message)
		e, ok := errors.AsType[*mail.SendError](err)
		if ok && len(e.Undelivered) > 0 { // the others have it
			message.To = e.Undelivered
		}
		if ok && !e.Temporary() || errors.Is(err, mail.ErrMessage) {
			return lastingError{err}
		}
		return err
	}
}
