"""What can be scored: trained runs, codecs of libraries, FFmpeg's encoders, audio that exists."""
