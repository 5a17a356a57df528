"""Operations on a RUN folder and a DATA folder together."""
