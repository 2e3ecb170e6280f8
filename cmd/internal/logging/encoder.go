package logging

import (
	"time"

	"go.uber.org/zap/zapcore"
)

// timeLayout is RFC 3339 with milliseconds and the local offset.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// accessEncoder encodes a line of the access log: the time, then the fields.
func accessEncoder() zapcore.Encoder {
	return lineEncoder{zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey:        "time",
		EncodeTime:     zapcore.TimeEncoderOfLayout(timeLayout),
		EncodeDuration: encodeMicroseconds,
	})}
}

// errorEncoder encodes a line of the error log.
func errorEncoder() zapcore.Encoder { return zapcore.NewJSONEncoder(errorConfig()) }

// consoleEncoder encodes a line of the error log for people: "time level logger message {fields}".
func consoleEncoder() zapcore.Encoder {
	c := errorConfig()
	c.ConsoleSeparator = " "
	return zapcore.NewConsoleEncoder(c)
}

func errorConfig() zapcore.EncoderConfig {
	return zapcore.EncoderConfig{
		TimeKey:        "time",
		LevelKey:       "level",
		NameKey:        "logger",
		MessageKey:     "msg",
		EncodeTime:     zapcore.TimeEncoderOfLayout(timeLayout),
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.StringDurationEncoder,
	}
}

// encodeMicroseconds keeps floats, which cost most of a line, out of the access log.
func encodeMicroseconds(d time.Duration, enc zapcore.PrimitiveArrayEncoder) {
	enc.AppendInt64(d.Microseconds())
}
