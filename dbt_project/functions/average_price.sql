declare
    dividend constant numeric := abs(notional);
    divisor constant numeric := abs(size);
    -- Decimal places that leave 12 digits.
    places integer;
    scaled numeric;
    quotient numeric;
    half numeric;
begin
    if size = 0 then
        return null;
    end if;
    if notional = 0 then
        return 0;
    end if;

    -- A double may be one off where the quotient is near a power of ten.
    places := 11 - floor(log(dividend::double precision / divisor::double precision))::integer;
    scaled := dividend * {{ power_of_ten('places') }};
    if scaled >= divisor * 1e12 then
        places := places - 1;
    elsif scaled < divisor * 1e11 then
        places := places + 1;
    end if;

    scaled := dividend * {{ power_of_ten('places') }};
    quotient := div(scaled, divisor);
    -- Negative, zero, positive: the remainder is below, at, above the half.
    half := 2 * (scaled - quotient * divisor) - divisor;
    if half > 0 or (half = 0 and mod(quotient, 2) = 1) then
        quotient := quotient + 1;
    end if;
    return trim_scale(sign(notional) * sign(size) * quotient * {{ power_of_ten('-places') }});
end
